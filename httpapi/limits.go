package httpapi

import (
	"sync"
	"time"

	"zurnals/domain"
)

// A limit is how often something may be asked: burst times at once, and then
// as many times for every period.
//
// It is counted by who asks, or by network address where nobody is signed in.
// A whole school may stand behind one address, so limits by address leave room
// for that; wrong tries for one account are counted by the use case.
type limit struct {
	name   string
	burst  int
	period time.Duration
}

var (
	limitSignIn       = limit{"sign-in", 60, time.Minute}      // by address
	limitRegistration = limit{"registration", 60, time.Minute} // by address
	limitLearner      = limit{"learner", 600, time.Minute}     // by address or learner: a school of pupils at one time
	limitSurvey       = limit{"survey", 600, time.Minute}      // by address: the same
	limitMail         = limit{"mail", 120, time.Minute}        // by who asks
	limitUpload       = limit{"upload", 30, time.Minute}       // by who asks
)

// errTooOften refuses what is asked too often.
var errTooOften = domain.Refuse(domain.TooMany, "http.rate_limited", "asked too often")

// An early error is errTooOften with the time to wait.
type early struct {
	error
	wait time.Duration
}

func (e early) Unwrap() error             { return e.error }
func (e early) RetryAfter() time.Duration { return e.wait }

// limited refuses a request of a route with a limit when it comes too early.
func (a *API) limited(q *request) error {
	l := q.route.limit
	if l.burst == 0 {
		return nil
	}
	who := q.by.ID.String()
	if q.route.asker.open() {
		who = q.address.String()
	}
	return a.buckets.take(l, who, a.Now())
}

// buckets count by the one clock (which is why httprate is not used: it asks
// the machine). For each name one time is kept: the one by which all that was
// taken is paid for.
type buckets struct {
	mu   sync.Mutex
	paid map[string]time.Time
}

// most is how many names are kept; when there are more, those that have
// nothing to pay are forgotten, and if that does not help, all.
const most = 100_000

func (b *buckets) take(l limit, who string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.paid == nil {
		b.paid = make(map[string]time.Time)
	}
	if len(b.paid) >= most {
		for name, at := range b.paid {
			if !at.After(now) {
				delete(b.paid, name)
			}
		}
		if len(b.paid) >= most {
			clear(b.paid)
		}
	}
	name := l.name + " " + who
	price := l.period / time.Duration(l.burst)
	at := b.paid[name]
	if at.Before(now) {
		at = now
	}
	at = at.Add(price)
	if wait := at.Sub(now) - l.period; wait > 0 {
		return early{errTooOften, wait}
	}
	b.paid[name] = at
	return nil
}
