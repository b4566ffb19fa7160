"""Diagrams of models: layers, shapes, parameters, and where each loss acts; one module a family."""
