"""Rows of the feeds against docs/schemas: each member named there, none beside it, and revisions that sinks can order by."""

import json
import os

import jsonschema

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "schemas")
FILES = {"pool_hourly": "pool_hourly.json", "pool_daily": "pool_daily.json", "card_daily": "card_daily.json"}


def load(which):
    with open(os.path.join(SCHEMAS, FILES[which]), encoding="utf-8") as f:
        schema = json.load(f)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    return validator(schema)


def check_rows(rows_by_feed):
    """All rows of {feed: [row]} hold their schema, and each feed has some."""
    for which, rows in rows_by_feed.items():
        validator = load(which)
        assert rows, which
        for row in rows:
            wrong = [error.message for error in validator.iter_errors(row)]
            assert not wrong, (which, row, wrong)
            assert set(row) == set(validator.schema["properties"]), (which, set(row) ^ set(validator.schema["properties"]))
