package eventstore

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// call is a group of appends as the arrays that the SQL function es.append
// takes, see migrations/00014_append.sql.
type call struct {
	command                       [][16]byte
	fingerprint                   [][]byte
	before, events                []int32
	wReq, wExpected, wBefore, wN  []int32
	wStream                       []string
	eWrite, eSchema               []int32
	eType                         []string
	eID                           [][16]byte
	eMeta, eData                  [][]byte
	gReq, gVersion                []int32
	gStream                       []string
	cReq                          []int32
	cKind, cStream, cFrom, cValue []string
	cHash                         [][]byte
	cTake                         []bool
	sReq, xReq                    []int32
	sSubject, xSubject            [][16]byte
}

// reset empties the arrays, which stay arrays: the function is given none that is NULL.
func (c *call) reset() {
	c.command, c.fingerprint, c.before, c.events = keep(c.command), keep(c.fingerprint), keep(c.before), keep(c.events)
	c.wReq, c.wExpected, c.wBefore, c.wN, c.wStream = keep(c.wReq), keep(c.wExpected), keep(c.wBefore), keep(c.wN), keep(c.wStream)
	c.eWrite, c.eID, c.eType, c.eSchema = keep(c.eWrite), keep(c.eID), keep(c.eType), keep(c.eSchema)
	c.eMeta, c.eData = keep(c.eMeta), keep(c.eData)
	c.gReq, c.gVersion, c.gStream = keep(c.gReq), keep(c.gVersion), keep(c.gStream)
	c.cReq, c.cKind, c.cStream, c.cFrom, c.cValue = keep(c.cReq), keep(c.cKind), keep(c.cStream), keep(c.cFrom), keep(c.cValue)
	c.cHash, c.cTake = keep(c.cHash), keep(c.cTake)
	c.sReq, c.xReq, c.sSubject, c.xSubject = keep(c.sReq), keep(c.xReq), keep(c.sSubject), keep(c.xSubject)
}

func keep[T any](s []T) []T {
	if s == nil {
		return make([]T, 0, 64)
	}
	clear(s) // lets go of the events
	return s[:0]
}

func (c *call) add(p *Postgres, a *pending) {
	r := a.req
	c.command = append(c.command, r.Command)
	fingerprint := r.Fingerprint
	if fingerprint == nil {
		fingerprint = []byte{}
	}
	c.fingerprint = append(c.fingerprint, fingerprint)
	c.before = append(c.before, int32(len(c.eID)))
	c.events = append(c.events, int32(a.events))
	req := int32(len(c.command)) // numbers of SQL arrays begin at 1
	for _, w := range r.Writes {
		c.wReq = append(c.wReq, req)
		c.wStream = append(c.wStream, w.Stream)
		c.wExpected = append(c.wExpected, int32(min(w.Expected, 1<<30)))
		c.wBefore = append(c.wBefore, int32(len(c.eID)))
		c.wN = append(c.wN, int32(len(w.Events)))
		for _, e := range w.Events {
			c.eWrite = append(c.eWrite, int32(len(c.wReq)))
			c.eID = append(c.eID, e.ID)
			c.eType = append(c.eType, e.Type)
			c.eSchema = append(c.eSchema, int32(e.Schema))
			c.eMeta = append(c.eMeta, e.Meta)
			c.eData = append(c.eData, e.Data)
		}
	}
	for _, g := range r.Guards {
		c.gReq = append(c.gReq, req)
		c.gStream = append(c.gStream, g.Stream)
		c.gVersion = append(c.gVersion, int32(min(g.Version, 1<<30)))
	}
	c.addClaims(p, req, r)
	for _, s := range r.Subjects {
		c.sReq = append(c.sReq, req)
		c.sSubject = append(c.sSubject, s)
	}
	for _, s := range r.Erase {
		c.xReq = append(c.xReq, req)
		c.xSubject = append(c.xSubject, s)
	}
}

// addClaims turns the release of a claim that is taken in the same request into
// the stream it may be taken from: the claim moves, or stays.
func (c *call) addClaims(p *Postgres, req int32, r *Request) {
	if len(r.Take)+len(r.Release) == 0 {
		return
	}
	from := make(map[[2]string]string, len(r.Release))
	for _, k := range r.Release {
		from[[2]string{k.Kind, k.Value}] = k.Stream
	}
	add := func(k Claim, take bool, from string) {
		c.cReq = append(c.cReq, req)
		c.cKind = append(c.cKind, k.Kind)
		c.cValue = append(c.cValue, k.Value)
		c.cHash = append(c.cHash, p.claimHash(k.Kind, k.Value))
		c.cStream = append(c.cStream, k.Stream)
		c.cTake = append(c.cTake, take)
		c.cFrom = append(c.cFrom, from)
	}
	for _, k := range r.Take {
		name := [2]string{k.Kind, k.Value}
		add(k, true, from[name])
		delete(from, name)
	}
	for _, k := range r.Release {
		if _, still := from[[2]string{k.Kind, k.Value}]; still {
			add(k, false, "")
		}
	}
}

// Why es.append rejected a request.
const (
	accepted = iota
	knownCommand
	wrongVersion
	guardBroken
	subjectErased
	claimHeld
)

// send runs the group in one statement, which is one transaction.
func (c *call) send(ctx context.Context, conn *pgx.Conn, p *Postgres, group []*pending) ([]verdict, error) {
	c.reset()
	for _, a := range group {
		c.add(p, a)
	}
	if len(group) == 1 && len(c.wReq) == 1 && len(c.eID) == 1 && len(c.cReq)+len(c.xReq) == 0 {
		return c.sendOne(ctx, conn, p, group)
	}
	var head int64
	var at time.Time
	var versions, rejected, reason, item, actual []int32
	var holder []string
	err := conn.QueryRow(ctx, `SELECT * FROM es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
		$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)`,
		p.clock(), c.command, c.fingerprint, c.before, c.events,
		c.wReq, c.wStream, c.wExpected, c.wBefore, c.wN,
		c.eWrite, c.eID, c.eType, c.eSchema, c.eMeta, c.eData,
		c.gReq, c.gStream, c.gVersion,
		c.cReq, c.cKind, c.cHash, c.cStream, c.cTake, c.cFrom,
		c.sReq, c.sSubject, c.xReq, c.xSubject,
	).Scan(&head, &at, &versions, &rejected, &reason, &item, &actual, &holder)
	if err != nil {
		return nil, err
	}
	verdicts := make([]verdict, len(group))
	for i, n := range rejected {
		verdicts[n-1] = c.reject(reason[i], item[i]-1, actual[i], holder[i])
	}
	p.accept(group, verdicts, head, at.UTC(), versions)
	return verdicts, nil
}

// sendOne is send for the most common request when it is alone.
func (c *call) sendOne(ctx context.Context, conn *pgx.Conn, p *Postgres, group []*pending) ([]verdict, error) {
	var head int64
	var at time.Time
	var version *int32
	var reason, item, actual int32
	err := conn.QueryRow(ctx, `SELECT * FROM es.append_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		p.clock(), c.command[0], c.fingerprint[0], c.wStream[0], c.wExpected[0],
		c.eID[0], c.eType[0], c.eSchema[0], c.eMeta[0], c.eData[0], c.gStream, c.gVersion, c.sSubject,
	).Scan(&head, &at, &version, &reason, &item, &actual)
	if err != nil {
		return nil, err
	}
	if reason != accepted {
		return []verdict{c.reject(reason, item-1, actual, "")}, nil
	}
	verdicts := make([]verdict, 1)
	p.accept(group, verdicts, head, at.UTC(), []int32{*version})
	return verdicts, nil
}

func (c *call) reject(reason, item, actual int32, holder string) verdict {
	switch reason {
	case knownCommand:
		return verdict{known: true}
	case wrongVersion:
		return verdict{err: &ConflictError{Stream: c.wStream[item], Actual: int(actual)}}
	case guardBroken:
		return verdict{err: &ConflictError{Stream: c.gStream[item], Actual: int(actual), Guard: true}}
	case subjectErased:
		return verdict{err: &ErasedError{Subject: uuid.UUID(c.sSubject[item])}}
	default:
		return verdict{err: &ClaimedError{Kind: c.cKind[item], Holder: holder}}
	}
}

// accept numbers the requests that were not rejected as the function did, and
// tells the readers of this process.
func (p *Postgres) accept(group []*pending, verdicts []verdict, head int64, at time.Time, versions []int32) {
	events := make([]Event, 0, len(group))
	write := 0
	for i, a := range group {
		v := &verdicts[i]
		if v.known || v.err != nil {
			write += len(a.req.Writes)
			continue
		}
		if a.events > 0 {
			v.result.First, v.result.Last = head+1, head+int64(a.events)
		}
		v.result.Versions = make([]int, len(a.req.Writes))
		for n, w := range a.req.Writes {
			version := int(versions[write])
			write++
			v.result.Versions[n] = version + len(w.Events)
			for _, e := range w.Events {
				head, version = head+1, version+1
				events = append(events, Event{
					Position: head, ID: e.ID, Stream: w.Stream, Version: version, Type: e.Type, Schema: e.Schema,
					RecordedAt: at, Meta: e.Meta, Data: e.Data,
				})
			}
		}
	}
	p.recent.add(events)
	p.head.raise(head)
	p.appended.raise(head)
}
