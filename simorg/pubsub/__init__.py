"""The Pub/Sub API's messages: `pubsub_api.proto`, and what grpcio-tools made of it."""
