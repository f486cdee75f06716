package servercount

// Compact lets tests compact at a time of their own.
var Compact = compact
