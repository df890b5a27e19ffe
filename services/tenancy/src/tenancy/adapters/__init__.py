"""One module per technology; `memory` beside them."""
