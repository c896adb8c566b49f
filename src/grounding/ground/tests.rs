//! From logits to words, phrases and places.
use super::*;
