package metrics

import "syscall"

// Disk returns how much is free, for a user who is not root, on the disk that a
// folder is on, and its size.
func Disk(folder string) (free, size uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
