"""The ports over real technologies, one module each, `memory` beside them."""
