package subscription

// DefaultPolicy is for tests that count retries.
var DefaultPolicy = defaultPolicy
