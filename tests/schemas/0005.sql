BEGIN TRANSACTION;
CREATE TABLE aliases (
	id INTEGER NOT NULL, 
	task VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	run VARCHAR, 
	created DATETIME NOT NULL, 
	undone DATETIME, 
	CONSTRAINT pk_aliases PRIMARY KEY (id)
);
CREATE TABLE assumptions (
	run VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	CONSTRAINT pk_assumptions PRIMARY KEY (run, number), 
	CONSTRAINT fk_assumptions_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "assumptions" VALUES('kept',1,'a');
CREATE TABLE attempts (
	run VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	status VARCHAR NOT NULL, 
	ended DATETIME NOT NULL, 
	resumed DATETIME NOT NULL, 
	error VARCHAR, 
	host VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	command VARCHAR NOT NULL, 
	CONSTRAINT pk_attempts PRIMARY KEY (run, number), 
	CONSTRAINT fk_attempts_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "attempts" VALUES('kept',1,'interrupted','2026-11-29 10:15:38.527247','2026-11-29 10:15:38.539838',NULL,'vm',15828,'-');
CREATE TABLE checkpoint_files (
	checkpoint INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	CONSTRAINT pk_checkpoint_files PRIMARY KEY (checkpoint, name), 
	CONSTRAINT fk_checkpoint_files_checkpoint FOREIGN KEY(checkpoint) REFERENCES checkpoints (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "checkpoint_files" VALUES(1,'config.json',1,'f');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	store VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	step BIGINT NOT NULL, 
	epoch DOUBLE NOT NULL, 
	is_best BOOLEAN NOT NULL, 
	is_last BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	removed DATETIME, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (id), 
	CONSTRAINT fk_checkpoints_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_checkpoints_store FOREIGN KEY(store) REFERENCES stores (id)
);
INSERT INTO "checkpoints" VALUES(1,'kept','67a9d7a3-9100-4e4d-a3d7-ccf95669d2ed','runs/kept',1,1.0,1,1,'2026-11-29 10:15:38.560774',NULL);
CREATE TABLE evaluation_figures (
	evaluation INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	value DOUBLE, 
	text VARCHAR, 
	CONSTRAINT pk_evaluation_figures PRIMARY KEY (evaluation, name, type), 
	CONSTRAINT fk_evaluation_figures_evaluation FOREIGN KEY(evaluation) REFERENCES evaluations (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "evaluation_figures" VALUES(2,'f1','',1.0,NULL);
CREATE TABLE evaluations (
	id INTEGER NOT NULL, 
	source VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	ref VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	content_hash VARCHAR NOT NULL, 
	run VARCHAR NOT NULL, 
	examples BIGINT NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_evaluations PRIMARY KEY (id), 
	CONSTRAINT fk_evaluations_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "evaluations" VALUES(1,'run','ner','d','test','f','kept',1,'2026-11-29 10:15:38.479105');
INSERT INTO "evaluations" VALUES(2,'evaluate','ner','d','test','f','kept',1,'2026-11-29 10:15:38.493336');
CREATE TABLE labelkit_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT labelkit_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "labelkit_version" VALUES('0005');
CREATE TABLE metrics (
	run VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	step BIGINT NOT NULL, 
	name VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	epoch DOUBLE NOT NULL, 
	value DOUBLE, 
	text VARCHAR, 
	CONSTRAINT pk_metrics PRIMARY KEY (run, task, split, step, name, type), 
	CONSTRAINT fk_metrics_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "metrics" VALUES('kept','ner','test',1,'f1','',1.0,1.0,NULL);
CREATE TABLE notes (
	id INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	text VARCHAR NOT NULL, 
	CONSTRAINT pk_notes PRIMARY KEY (id), 
	CONSTRAINT fk_notes_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "notes" VALUES(1,'kept','2026-11-29 10:15:38.515274','words');
CREATE TABLE outputs (
	id INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	step BIGINT, 
	kind VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	records BIGINT, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_outputs PRIMARY KEY (id)
);
CREATE TABLE plan_values (
	run VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	text VARCHAR NOT NULL, 
	number DOUBLE, 
	origin VARCHAR NOT NULL, 
	CONSTRAINT pk_plan_values PRIMARY KEY (run, "key"), 
	CONSTRAINT fk_plan_values_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "plan_values" VALUES('kept','a','1',1.0,'');
CREATE TABLE publications (
	id INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	step BIGINT, 
	endpoint VARCHAR NOT NULL, 
	repository VARCHAR NOT NULL, 
	revision VARCHAR NOT NULL, 
	commit_id VARCHAR NOT NULL, 
	tag VARCHAR, 
	pull_request VARCHAR, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_publications PRIMARY KEY (id)
);
CREATE TABLE runs (
	id VARCHAR NOT NULL, 
	name VARCHAR, 
	group_id VARCHAR, 
	task VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	started DATETIME NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	ended DATETIME, 
	seconds DOUBLE, 
	error VARCHAR, 
	hint VARCHAR, 
	labelkit VARCHAR NOT NULL, 
	recipe VARCHAR, 
	data VARCHAR NOT NULL, 
	synthetic BOOLEAN NOT NULL, 
	model VARCHAR NOT NULL, 
	model_revision VARCHAR, 
	model_sha256 VARCHAR, 
	metric VARCHAR NOT NULL, 
	metric_key VARCHAR NOT NULL, 
	higher_is_better BOOLEAN NOT NULL, 
	seed BIGINT NOT NULL, 
	device_type VARCHAR, 
	device_name VARCHAR, 
	device_count INTEGER, 
	precision VARCHAR, 
	driver VARCHAR, 
	peak_memory BIGINT, 
	git_commit VARCHAR, 
	git_dirty BOOLEAN, 
	host VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	command VARCHAR NOT NULL, 
	python VARCHAR NOT NULL, 
	schema JSON, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('kept',NULL,NULL,'ner','token','running','2026-11-29 10:15:38.446974','2026-11-29 10:15:38.559364',NULL,1.0,NULL,NULL,'0',NULL,'d',0,'m',NULL,NULL,'s','f1',1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'vm',15828,'-','3.11.7',NULL);
CREATE TABLE scores (
	run VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	step BIGINT NOT NULL, 
	epoch DOUBLE NOT NULL, 
	value DOUBLE, 
	text VARCHAR, 
	CONSTRAINT pk_scores PRIMARY KEY (run, task, split, name, type), 
	CONSTRAINT fk_scores_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "scores" VALUES('kept','ner','test','f1','',1,1.0,1.0,NULL);
CREATE TABLE splits (
	run VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	ref VARCHAR NOT NULL, 
	content_hash VARCHAR NOT NULL, 
	examples BIGINT NOT NULL, 
	words BIGINT NOT NULL, 
	carved BOOLEAN NOT NULL, 
	CONSTRAINT pk_splits PRIMARY KEY (run, split), 
	CONSTRAINT fk_splits_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "splits" VALUES('kept','test','d','f',1,1,0);
CREATE TABLE stores (
	id VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	root VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_stores PRIMARY KEY (id)
);
INSERT INTO "stores" VALUES('67a9d7a3-9100-4e4d-a3d7-ccf95669d2ed','vm','/tmp/h5','2026-11-29 10:15:38.251393');
CREATE TABLE suppliers (
	run VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	plugin VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	package VARCHAR NOT NULL, 
	CONSTRAINT pk_suppliers PRIMARY KEY (run, kind, name), 
	CONSTRAINT fk_suppliers_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "suppliers" VALUES('kept','task','ner','ner','1','labelkit');
CREATE TABLE tags (
	run VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (run, tag), 
	CONSTRAINT fk_tags_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "tags" VALUES('kept','a');
CREATE TABLE versions (
	run VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	CONSTRAINT pk_versions PRIMARY KEY (run, kind, name), 
	CONSTRAINT fk_versions_run FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "versions" VALUES('kept','library','torch','2');
CREATE INDEX ix_runs_started_id ON runs (started, id);
CREATE INDEX ix_runs_task_status_started ON runs (task, status, started);
CREATE INDEX ix_runs_status_started ON runs (status, started);
CREATE INDEX ix_runs_name ON runs (name);
CREATE INDEX ix_runs_group_id ON runs (group_id);
CREATE INDEX ix_plan_values_key_number ON plan_values ("key", number);
CREATE INDEX ix_splits_split_content_hash ON splits (split, content_hash);
CREATE INDEX ix_scores_task_split_name_type_value ON scores (task, split, name, type, value);
CREATE INDEX ix_checkpoints_run ON checkpoints (run);
CREATE UNIQUE INDEX ix_checkpoints_store_path ON checkpoints (store, path) WHERE removed IS NULL;
CREATE INDEX ix_checkpoint_files_sha256 ON checkpoint_files (sha256);
CREATE INDEX ix_tags_tag ON tags (tag);
CREATE INDEX ix_notes_run ON notes (run);
CREATE INDEX ix_aliases_task_name ON aliases (task, name);
CREATE INDEX ix_aliases_run ON aliases (run);
CREATE INDEX ix_evaluations_run ON evaluations (run);
CREATE INDEX ix_evaluations_content_hash ON evaluations (content_hash);
CREATE INDEX ix_outputs_sha256 ON outputs (sha256);
CREATE INDEX ix_outputs_run ON outputs (run);
CREATE INDEX ix_publications_run ON publications (run);
CREATE INDEX ix_publications_repository_commit_id ON publications (repository, commit_id);
CREATE VIEW v_runs AS
        SELECT r.id AS run, r.name, r.group_id, r.task, r.kind, r.status, r.started, r.ended, r.seconds,
        r.heartbeat, r.error, r.data, r.model, r.model_revision, r.model_sha256, r.recipe, r.synthetic, r.metric,
        r.metric_key, v.value AS validation, t.value AS test,
        r.seed, r.device_type, r.device_name, r.device_count, r.precision, r.driver, r.peak_memory, r.git_commit,
        r.git_dirty, r.host, r.pid, r.command, r.python, r.labelkit
        FROM runs r
        LEFT JOIN scores v ON v.run = r.id AND v.task = r.task AND v.split = 'validation' AND v.name = r.metric_key
        AND v.type = ''
        LEFT JOIN scores t ON t.run = r.id AND t.task = r.task AND t.split = 'test' AND t.name = r.metric_key
        AND t.type = '';
CREATE VIEW v_params AS SELECT run, key AS name, text AS value, number, origin FROM plan_values;
CREATE VIEW v_scores AS SELECT run, task, split, name, type AS label_type, step, epoch, value, text FROM scores;
CREATE VIEW v_metrics AS SELECT run, task, split, step, epoch, name, type AS label_type, value, text FROM metrics;
CREATE VIEW v_splits AS SELECT run, split, ref AS data, content_hash, examples, words, carved FROM splits;
CREATE VIEW v_assumptions AS SELECT run, number, text FROM assumptions;
CREATE VIEW v_suppliers AS SELECT run, kind, name, plugin, version, package FROM suppliers;
CREATE VIEW v_versions AS SELECT run, kind, name, version FROM versions;
CREATE VIEW v_checkpoints AS
        SELECT c.run, c.step, c.epoch, c.is_best AS best, c.is_last AS last, c.created, c.removed, s.host, s.root,
        c.path, (SELECT SUM(f.size) FROM checkpoint_files f WHERE f.checkpoint = c.id) AS bytes
        FROM checkpoints c JOIN stores s ON s.id = c.store;
CREATE VIEW v_files AS
        SELECT c.run, c.step, f.name, f.size, f.sha256
        FROM checkpoint_files f JOIN checkpoints c ON c.id = f.checkpoint;
CREATE VIEW v_attempts AS SELECT run, number, status, ended, resumed, error, host, pid, command FROM attempts;
CREATE VIEW v_tags AS SELECT run, tag FROM tags;
CREATE VIEW v_notes AS SELECT run, created, text FROM notes;
CREATE VIEW v_aliases AS
        SELECT a.task, a.name AS alias, a.run, a.created FROM aliases a
        WHERE a.run IS NOT NULL AND a.id = (SELECT MAX(b.id) FROM aliases b
        WHERE b.task = a.task AND b.name = a.name AND b.undone IS NULL);
CREATE VIEW v_evaluations AS
        SELECT id AS evaluation, run, source, task, ref AS data, split, content_hash, examples, created
        FROM evaluations;
CREATE VIEW v_evaluation_scores AS
        SELECT e.run, f.evaluation, e.split, f.name, f.type AS label_type, f.value, f.text
        FROM evaluation_figures f JOIN evaluations e ON e.id = f.evaluation;
CREATE VIEW v_publications AS
        SELECT run, step, endpoint, repository, revision, commit_id, tag, pull_request, created FROM publications;
CREATE VIEW v_outputs AS SELECT run, step, kind, host, path, size, sha256, records, created FROM outputs;
COMMIT;
