-- migrate:up
create table users (
    id bigint generated always as identity primary key,
    name text not null,
    token_hash bytea not null unique
);

create table notes (
    id bigint generated always as identity primary key,
    title text not null,
    body text not null,
    author_id bigint not null references users (id),
    file bytea,
    file_name text,
    created_at timestamptz not null default now()
);

-- migrate:down
drop table notes;
drop table users;
