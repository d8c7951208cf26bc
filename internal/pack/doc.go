// Package pack makes records small that are much alike, such as those of the
// nodes of one fleet. A few of them become a dictionary, with which the others
// take a fraction of their size:
//
//	p, err := pack.New(pack.Config{Largest: 8 << 20})
//	small := p.Pack(ctx, "db1", record)
//	record, err := p.Unpack(small)
//
// What is packed says with which dictionary, and has a checksum.
package pack
