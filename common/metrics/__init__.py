"""Metrics: functions of arrays, without models."""
