# What codex-server promises, as it can be seen from outside. `tests/test_scenarios.py` runs every scenario: the real
# command, the real codex, and a scripted model instead of an account. Read it to audit or to change the program; normal
# use does not need it.

Feature: Codex turns that never make a shell wait

  Background:
    Given a project
    And a codex whose model needs no account

  Scenario: The turn id comes back while the turn still runs
    Given a model that stops in the middle of its answer
    When I start a turn
    Then the command has printed one JSON object with a turn id
    And the turn is "running"
    When the model goes on
    And I wait for the turn
    Then the exit code is 0
    And the answer is whole

  Scenario: The turn outlives the shell that started it
    Given a model that stops in the middle of its answer
    When I start a turn from a shell, and the shell's whole process group is killed
    And the model goes on
    And I wait for the turn
    Then the exit code is 0
    And the answer is whole

  Scenario: A bounded wait gives up and the turn goes on
    Given a model that stops in the middle of its answer
    When I start a turn
    And I wait at most 0.3 seconds for the turn
    Then the exit code is 124
    And the last line is the command to wait again
    When the model goes on
    And I wait for the turn
    Then the exit code is 0

  Scenario: A conversation goes on where it was
    Given a model that says "Noted."
    When I start a turn with "The word is ember." and wait for it
    And I continue with "What was the word?" and wait for it
    Then both turns are of the same thread
    And the model has seen "The word is ember." again

  Scenario: Continuing never picks up another project's thread
    Given a model that says "Hello."
    When I start a turn with "Hello" and wait for it
    And I continue from another directory
    Then the exit code is 65
    And the error kind is "thread_missing"
    And there is 1 turn on disk

  Scenario: Structured output is checked before and after
    Given a model that says '{"ok": "perhaps"}'
    When I ask with a schema that is not closed
    Then the exit code is 65
    And the error kind is "bad_schema"
    And the model was never asked
    When I ask with a schema that wants "ok" to be true or false
    Then the exit code is 1
    And the turn's error kind is "bad_schema"
    And the answer is '{"ok": "perhaps"}'

  Scenario: A cancelled turn leaves no process and keeps what had come
    Given a model that says "Starting." and runs a command that never ends
    When I start a turn
    And the command runs
    And I cancel the turn
    Then the exit code is 0
    And the turn is "cancelled"
    And no process of the turn is left
    And the text holds "Starting."

  Scenario: A worker that is killed loses nothing that had come
    Given a model that stops in the middle of its answer
    When I start a turn
    And the model has begun to answer
    And the worker is killed
    Then the turn is "abandoned"
    And the error tells how to go on
    And no process of the turn is left
    When I ask for the answer
    Then the exit code is 3
    And the answer is the first half

  Scenario: One thread has one turn at a time
    Given a model that stops in the middle of its answer
    When I start a turn
    And the model has begun to answer
    And I continue the turn's thread
    Then the exit code is 75
    And the error names the turn that holds the thread
    When I continue from a copy of the thread
    Then the exit code is 0

  Scenario: Nothing is written unless it was asked for
    Given a model that wants to write a file
    When I start a turn with "Write it" and wait for it
    Then the file is not there
    When I start a turn that may write, and wait for it
    Then the file is there
    And Codex's config.toml is unchanged

  Scenario: No API key is ever billed by surprise
    Given a login with an API key
    When I start a turn
    Then the exit code is 2
    And the error tells the way to log in
    And there are 0 turns on disk
    And the lists and doctor still work

  Scenario: A failed turn tells what to do
    Given a model whose usage limit is reached
    When I start a turn with "Hello" and wait for it
    Then the exit code is 1
    And the turn's error kind is "usage_limit"
    And the error is retryable
    And the error tells how to go on
