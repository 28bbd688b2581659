package commands

import (
	"context"
	"fmt"
	"sync"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/organisation"
)

// places remembers where things are. A school stays in its municipality and a
// class in its school for good, so what was read once stays true.
type places struct {
	mu     sync.Mutex
	scopes map[string]access.Scope
}

// place returns the scope that the first event of a stream tells, by of.
// A stream without events is a thing that there is not.
func (c *Commands) place(ctx context.Context, stream string, of func(domain.Event) (access.Scope, error)) (access.Scope, error) {
	c.places.mu.Lock()
	scope, ok := c.places.scopes[stream]
	c.places.mu.Unlock()
	if ok {
		return scope, nil
	}
	for stored, err := range c.Log.ReadStream(ctx, stream, 1) {
		if err != nil {
			return access.Scope{}, refusal(err)
		}
		// Nothing personal is needed of it, so it is not opened.
		e, err := c.Catalogue.Decode(stored.Type, stored.Schema, stored.Data)
		if err != nil {
			return access.Scope{}, fmt.Errorf("%s@1: %w", stream, err)
		}
		if scope, err = of(e); err != nil {
			return access.Scope{}, err
		}
		c.places.mu.Lock()
		defer c.places.mu.Unlock()
		if c.places.scopes == nil || len(c.places.scopes) >= keep {
			c.places.scopes = make(map[string]access.Scope)
		}
		c.places.scopes[stream] = scope
		return scope, nil
	}
	return access.Scope{}, access.ErrElsewhere
}

// MunicipalityScope returns the place that a municipality is.
func (c *Commands) MunicipalityScope(ctx context.Context, id domain.MunicipalityID) (access.Scope, error) {
	return c.place(ctx, organisation.Municipalities.Stream(id), func(domain.Event) (access.Scope, error) {
		return access.Scope{Municipality: id}, nil
	})
}

// SchoolScope returns the place that a school is.
func (c *Commands) SchoolScope(ctx context.Context, id domain.SchoolID) (access.Scope, error) {
	return c.place(ctx, organisation.Schools.Stream(id), func(e domain.Event) (access.Scope, error) {
		if e, ok := e.(organisation.SchoolRegistered); ok {
			return access.Scope{Municipality: e.Municipality, School: id}, nil
		}
		return access.Scope{}, access.ErrElsewhere
	})
}

// ClassScope returns the place that a class is.
func (c *Commands) ClassScope(ctx context.Context, id domain.ClassID) (access.Scope, error) {
	return c.place(ctx, organisation.Classes.Stream(id), func(e domain.Event) (access.Scope, error) {
		created, ok := e.(organisation.ClassCreated)
		if !ok {
			return access.Scope{}, access.ErrElsewhere
		}
		scope, err := c.SchoolScope(ctx, created.School)
		scope.Class = id
		return scope, err
	})
}
