"""What is promised: deterministic workflow code. Imports only the standard library, temporalio, pydantic and itself."""
