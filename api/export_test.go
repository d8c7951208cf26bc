package api

// Rows are the routes of the table, "METHOD /path" each.
func (s *Server) Rows() []string {
	var rows []string
	for _, r := range s.routes {
		rows = append(rows, r.method+" "+r.path)
	}
	return rows
}

// Limits for tests at their edges.
const (
	MaxRegistrations = maxRegistrations
	MaxCompressed    = maxCompressed
	MaxAsk           = maxAsk
)
