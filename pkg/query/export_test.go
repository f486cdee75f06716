package query

// Prepare is for tests whose schemas come from no model.
var Prepare = prepare
