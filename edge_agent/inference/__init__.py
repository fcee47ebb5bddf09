"""The only home of onnxruntime: model bundles, sessions, heads."""
