package pdb

// TimeFormat is how PuppetDB writes times, which are UTC.
const TimeFormat = "2006-01-02T15:04:05.000Z"
