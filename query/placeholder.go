package query

import "errors"

var errNotBuilt = errors.New("this dialect is being built")

func (r *reader) parseAST(string) (*Query, error) { return nil, errNotBuilt }

func printMongo(*Query) (string, error) { return "", errNotBuilt }
func printPQL(*Query) (string, error)   { return "", errNotBuilt }
func printAST(*Query) (string, error)   { return "", errNotBuilt }
