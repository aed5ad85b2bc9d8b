"""The pictures: MLflow to pandas, to statistics, to figures and a report. Judges what was run; never launches."""
