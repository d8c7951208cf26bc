package cli

import (
	"context"
	"errors"
	"sync"
)

// together runs the parts of a server until ctx is done or one of them ends
// with an error, waits for all of them, and returns the errors. A part that
// ends because ctx was done has no error.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	failures := make([]error, len(parts))
	for i, part := range parts {
		running.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				failures[i] = err
				cancel()
			}
		})
	}
	running.Wait()
	return errors.Join(failures...)
}
