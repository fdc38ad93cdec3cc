# How the gate tells what it does and how long that took: source it, then call stage NAME.

stage_name=
stage_began=0
stage_times=

# Begin a stage, which ends the one before it.
stage() {
    end_stage
    stage_name=$1
    stage_began=$SECONDS
    printf '\n== %s\n' "$stage_name"
}

# Note how long the stage took; a remark stands behind its name.
end_stage() {
    [[ -n $stage_name ]] || return 0
    stage_times+=$(printf '%6d s  %s%s' $((SECONDS - stage_began)) "$stage_name" "${1:-}")$'\n'
    stage_name=
}

# The table, for a trap at exit: pass it the exit status.
report_stages() {
    if (($1)); then end_stage " (failed)"; else end_stage; fi
    printf '\n== the time of each stage\n%s%6d s  in all\n' "$stage_times" "$SECONDS"
}
