package mongostore

import (
	"context"
	"errors"

	"muster/registry"
)

type Config struct{ URI string }

func Open(context.Context, Config) (registry.Store, error) { return nil, errors.ErrUnsupported }
