"""The tables that runs are written to are those of the MLflow that is installed."""

from experiments.tracking.database import EXPERIMENT_TABLES, TABLES


def test_the_tables_are_those_of_mlflows_own_models() -> None:
    from mlflow.store.tracking.dbmodels import models

    known = {table: set(columns) for table, columns in (TABLES | EXPERIMENT_TABLES).items()}
    metadata = models.Base.metadata
    assert {table: set(metadata.tables[table].columns.keys()) for table in known} == known
