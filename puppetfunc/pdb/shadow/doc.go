// Package shadow asks a PuppetDB and a registry the same questions, and
// explains where their answers differ: a site lets the one shadow the other
// before it trusts it.
//
//	for _, q := range shadow.Questions(fleet, 200, 1) {
//		theirs, ours := ask(puppetdb, q.Text), ask(muster, q.Text)
//		for _, d := range shadow.Compare(q, theirs, ours, fleet, seen) {
//			fmt.Println(q.Text, d.Certname, d.Why)
//		}
//	}
//
// Questions are made from what the fleet has, by a seed, so that the same fleet
// is asked the same. What PuppetDB answers follows from how it compares values;
// the rules by which we differ on purpose are named, and nothing else counts as
// explained.
package shadow
