"""The predictors in Amaranth, behind one interface: `interface.PredictorSignature`."""
