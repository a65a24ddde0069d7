-- What comes into the inbox, and a proof, is told by who writes it: a merge runs without any trigger.
DROP TRIGGER _sync_tell_inbox;
DROP TRIGGER _sync_tell_proof;
