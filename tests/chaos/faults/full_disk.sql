-- What a client sees while the disk of the tables is full: any statement that needs another page is refused, and which ones
-- do is chance. To fill a real disk takes an administrator.
CREATE FUNCTION refuse_to_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.5 THEN
        RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device'
            USING ERRCODE = 'disk_full', HINT = 'Check free disk space.';
    END IF;
    RETURN NULL;
END
$$;
