package tour

import "sync/atomic"

var steps = []step{}

type place struct{}
type who struct {
	position string
	count    atomic.Int64
}

func (t *tour) note(string) {}
