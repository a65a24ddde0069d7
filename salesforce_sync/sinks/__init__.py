"""Where signals go: each sink at its own pace, from its own place in the store's log, until it has them all."""
