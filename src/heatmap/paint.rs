//! Heatmaps as colours over a picture.
