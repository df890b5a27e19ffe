"""The demo: two teams ride the real stack, and what happened is shown. The end-to-end tests ride the same way."""
