"""Where the public CRM sales data is."""

import os
from pathlib import Path

import pytest

FOLDER = Path(
    os.environ.get("FLEET_CRM_SALES_DIR")
    or Path(__file__).resolve().parents[2].parent / "shared" / "data" / "crm-sales"
)


@pytest.fixture
def crm_sales() -> Path:
    if not (FOLDER / "sales_pipeline.csv").is_file():
        message = f"the public CRM sales data is not in {FOLDER}: set FLEET_CRM_SALES_DIR"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return FOLDER
