-- INSERT OR REPLACE deletes the row that is in its way, and no trigger on DELETE hears of that.

CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit WHEN EXISTS (
    SELECT 1 FROM audit WHERE number = NEW.number
) BEGIN
    SELECT RAISE(ABORT, 'the audit log is only appended to');
END;
