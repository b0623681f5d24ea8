"""Time travel: the real timetable, engines and delivery over virtual time, in one transaction that is rolled back."""
