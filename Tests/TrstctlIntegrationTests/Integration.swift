// The integration tests are being written.
