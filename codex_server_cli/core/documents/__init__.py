"""The JSON contract: one document for each data type, the same for every interface."""
