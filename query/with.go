package query

import "errors"

func (r *reader) parseWith(string) (*Query, error)   { return nil, errors.New("being built") }
func (r *reader) parseNative(string) (*Query, error) { return nil, errors.New("being built") }
func (r *reader) parseSelect(string) (*Query, error) { return nil, errors.New("being built") }
func sideBySide(string) bool                         { return false }
func printNative(*Query) (string, error)             { return "", nil }
func printSelect(*Query) (string, error)             { return "", nil }
func printWith(*Query) (string, error)               { return "", nil }
