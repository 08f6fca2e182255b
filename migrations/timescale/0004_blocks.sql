-- What each block of four hours has counted: of all its events, of each type, of each action. Made of the columns of its
-- quarters (`event_columns`), once no quarter of it waits to be made anew; a question takes it in place of them.

-- Blocks count from 1970-01-01T00:00Z: block = quarter >> 4. `name` is that of the column it was made of: 'actors' for all events,
-- 'event_type', 'event_action'. A block of which a quarter is marked in `column_marks` is not to be read.
CREATE TABLE block_counts (
    project TEXT COLLATE "C" NOT NULL,
    block   INT8             NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    data    BYTEA            NOT NULL,
    PRIMARY KEY (project, block, name)
);
ALTER TABLE block_counts ALTER COLUMN data SET STORAGE EXTERNAL;

-- Blocks that have a quarter which was made since, and so are to be made themselves; the newest block of a project waits here
-- until there is a newer one.
CREATE TABLE block_marks (
    project TEXT COLLATE "C" NOT NULL,
    block   INT8             NOT NULL,
    PRIMARY KEY (project, block)
);
INSERT INTO block_marks (project, block) SELECT DISTINCT project, quarter >> 4 FROM event_columns;
