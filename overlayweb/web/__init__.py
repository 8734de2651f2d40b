"""The pages: function views and plain forms, one module per noun. Thin: one service call each."""
