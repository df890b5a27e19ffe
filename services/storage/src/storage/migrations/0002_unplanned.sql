-- Versions whose clearing nobody has planned yet are looked for again and again.
CREATE INDEX versions_unplanned ON storage.versions (place, generation)
    WHERE reason = '' AND state IN ('open', 'sealed');
