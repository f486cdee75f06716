package idempotency

// Lifetime is for tests that wait until an answer is gone.
const Lifetime = lifetime
