package domain

import "errors"

// ErrFields refuses a request in which several fields are wrong; its details
// name each.
var ErrFields = Refuse(Invalid, "request.fields", "several fields are wrong")

// A Check gathers what is wrong with the fields of one request, so that the
// person is told everything at once.
type Check struct {
	first   *Error
	details []Detail
	other   error
}

// Field notes that a field is wrong, if err is not nil.
func (c *Check) Field(name string, err error) {
	var refusal *Error
	switch {
	case err == nil:
	case errors.As(err, &refusal):
		if c.first == nil {
			c.first = refusal
		}
		c.details = append(c.details, Detail{Field: name, Code: refusal.Code, Text: refusal.Text})
	default:
		c.other = err
	}
}

// Err returns nil if nothing was wrong, the refusal of the field if one was,
// and ErrFields with all of them if several were.
func (c *Check) Err() error {
	switch {
	case c.other != nil:
		return c.other
	case len(c.details) == 0:
		return nil
	case len(c.details) == 1:
		return c.first.With(c.details...)
	}
	return ErrFields.With(c.details...)
}
