package eventstore_test

import (
	"testing"

	"zurnals/eventstore"
	"zurnals/eventstore/eventstoretest"
)

func TestMemory(t *testing.T) {
	eventstoretest.Suite(t, func(t *testing.T) eventstoretest.Fixture {
		clock, keys := eventstoretest.NewClock(), eventstore.NewMemoryKeys()
		return eventstoretest.Fixture{Log: eventstore.NewMemory(clock.Now, keys), Keys: keys, Clock: clock}
	})
}
