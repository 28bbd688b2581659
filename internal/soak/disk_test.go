package soak

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"zurnals/internal/pgtest"
)

// The disk is full for a while: appends fail, none is half there, and when there
// is room again they go on by themselves.
func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	dir := pgtest.DataDir(t)
	disk := filepath.Dir(dir)
	// A disk of its own, which only root can have.
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256m,mode=755"); err != nil {
		t.Logf("there is no small disk to fill: mount: %v", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w := newWorldIn(t, dir)
	writer := w.writer([]string{"soak-" + uuid.NewString(), "soak-" + uuid.NewString(), "soak-" + uuid.NewString()})
	w.workAgain("a disk with room")

	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for block := make([]byte, 1<<20); err == nil; {
		_, err = ballast.Write(block)
	}
	for start, last := time.Now(), time.Now(); time.Since(last) < 500*time.Millisecond; last = w.ledger.acknowledged() {
		if time.Since(start) > 30*time.Second {
			t.Fatal("a full disk stops nobody")
		}
		if _, err := ballast.Write(make([]byte, 4096)); err == nil { // what a checkpoint gave back
			continue
		}
		wait(t.Context(), 5*time.Millisecond)
	}
	if err := ballast.Truncate(0); err != nil {
		t.Fatal(err)
	}
	w.workAgain("the disk was full")
	w.finish(writer)
	w.lines.Wait()
	w.check()
}
