"""The JSON contract: one document for each noun, the same for every face."""
