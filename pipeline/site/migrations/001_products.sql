-- What the database holds: the catalogue of one run, or a part of it where there are several databases.
CREATE TABLE catalogue (
  digest text NOT NULL,     -- of the catalogue as a whole
  products bigint NOT NULL, -- of the catalogue as a whole
  part integer NOT NULL,    -- of how many `parts`, from 0: a product is in that of its id's hash
  parts integer NOT NULL
);

-- `key` orders equal distances and lists: the catalogue's rows, then the nanosecond in which a product was added.
CREATE TABLE product (
  key bigint PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  catalogued boolean NOT NULL,
  copies text,              -- equal where pictures have equal bytes; null: no other product has them
  picture bytea,            -- of an added product, drawn anew; the catalogue's are in the run's archive
  words sparsevec NOT NULL, -- TF-IDF of what describes it, of length 1, by `word.place`
  "productDisplayName" text,
  "gender" text,
  "masterCategory" text,
  "subCategory" text,
  "articleType" text,
  "baseColour" text,
  "season" text,
  "year" text,
  "usage" text
);
CREATE INDEX ON product (copies) WHERE copies IS NOT NULL;
CREATE INDEX ON product ("gender");
CREATE INDEX ON product ("masterCategory");
CREATE INDEX ON product ("articleType");
CREATE INDEX ON product ("baseColour");
CREATE INDEX ON product ("season");
CREATE INDEX ON product ("usage");
CREATE INDEX ON product (key) WHERE NOT catalogued;

-- Products of the catalogue that were taken away.
CREATE TABLE hidden (key bigint PRIMARY KEY REFERENCES product ON DELETE CASCADE);

-- The stems of words, and how much each weighs: as the catalogue was when it was loaded.
CREATE TABLE word (place serial PRIMARY KEY, stem text COLLATE "C" NOT NULL UNIQUE, weight real NOT NULL);

-- An encoder's features are in the table `feature_` and its number.
CREATE TABLE encoder (number serial PRIMARY KEY, identity text NOT NULL UNIQUE, dimension integer NOT NULL);

-- Added products that have no features of an encoder yet: it was not at hand where they were added.
CREATE TABLE missing (
  encoder integer REFERENCES encoder,
  key bigint REFERENCES product ON DELETE CASCADE,
  PRIMARY KEY (encoder, key)
);
CREATE INDEX ON missing (key);
