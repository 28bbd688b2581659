// Package soak (Latvian: izturības pārbaude) holds the log to its word while
// everything around it fails: writers in processes of their own list what was
// acknowledged, are stopped, continued and killed, and PostgreSQL is restarted,
// killed and taken away under them, while other transactions hold the head of
// the log and roll back. Afterwards the log is dense, every stream is dense,
// every acknowledged event is there once at its position, and no append is there
// by half.
//
// `make soak` runs it for minutes; a form of 20 seconds is part of the tests.
package soak
