package query

func (r *reader) bound(name string, pos, end int) (Value, error) {
	v, ok := r.Named[name[1:]]
	if !ok {
		return Value{}, &SyntaxError{Offset: pos, End: end, Problem: "no parameter " + name}
	}
	return valueOf(v)
}
func (m *mongoReader) mongoSaved(f relaxedField) (Expr, error) { return All{}, nil }
