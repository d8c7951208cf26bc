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

// beside runs do while background serves it, and returns do's error; or that of
// background, if it ended before and do could not go on.
func beside(ctx context.Context, background, do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := background(ctx)
		cancel()
		ended <- err
	}()
	err := do(ctx)
	cancel()
	if behind := <-ended; behind != nil && !errors.Is(behind, context.Canceled) {
		return behind
	}
	return err
}
